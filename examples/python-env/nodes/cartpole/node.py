"""The environment that the learner steps: a cart-pole for each replica of the node."""

from cartpole import CartPole
from wit_world import exports
from wit_world.exports.environment import Transition

cartpole = CartPole()


class Environment(exports.Environment):
    async def reset(self):
        return cartpole.reset()

    async def step(self, action):
        return Transition(*cartpole.step(action))
