"""A driver: tests a consumer from outside."""

from wit_world.imports import consumer


async def test_steps_ten_times():
    for step in range(10):
        assert await consumer.step() == [10 * step, 10 * step + 1]


# Each test has a program of its own.
async def test_starts_with_step_0():
    assert await consumer.step() == [0, 1]
