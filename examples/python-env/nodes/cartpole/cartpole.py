"""Balancing a pole on a cart that is pushed to the left or the right (Barto, Sutton and Anderson 1983)."""

import math
import random

GRAVITY = 9.8
CART_MASS = 1.0
POLE_MASS = 0.1
TOTAL_MASS = CART_MASS + POLE_MASS
POLE_HALF_LENGTH = 0.5
FORCE = 10.0
SECONDS_PER_STEP = 0.02

POSITION_MAX = 2.4
ANGLE_MAX = math.radians(12)
STEPS_MAX = 200


class CartPole:
    """An observation is the cart's position and velocity, and the pole's angle and angular velocity."""

    def reset(self):
        """Puts the cart near the middle, with the pole nearly upright, and returns the observation."""
        self.state = [random.uniform(-0.05, 0.05) for _ in range(4)]
        self.steps = 0
        return self.state

    def step(self, action):
        """Pushes to the left (0) or the right (1). Returns the observation, the reward, and whether the episode is done."""
        position, velocity, angle, turn = self.state
        acceleration, angular_acceleration = self._accelerations(FORCE if action == 1 else -FORCE)
        position += SECONDS_PER_STEP * velocity
        velocity += SECONDS_PER_STEP * acceleration
        angle += SECONDS_PER_STEP * turn
        turn += SECONDS_PER_STEP * angular_acceleration
        self.state = [position, velocity, angle, turn]
        self.steps += 1
        has_fallen = abs(position) > POSITION_MAX or abs(angle) > ANGLE_MAX
        return self.state, 1.0, has_fallen or self.steps == STEPS_MAX

    def _accelerations(self, force):
        _, _, angle, turn = self.state
        sine, cosine = math.sin(angle), math.cos(angle)
        pushed = (force + POLE_MASS * POLE_HALF_LENGTH * turn**2 * sine) / TOTAL_MASS
        inertia = POLE_HALF_LENGTH * (4 / 3 - POLE_MASS * cosine**2 / TOTAL_MASS)
        angular_acceleration = (GRAVITY * sine - cosine * pushed) / inertia
        acceleration = pushed - POLE_MASS * POLE_HALF_LENGTH * angular_acceleration * cosine / TOTAL_MASS
        return acceleration, angular_acceleration
