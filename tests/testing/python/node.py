"""Tests that pass and fail, in Python."""

SEVEN = 7


def test_passes():
    pass


async def test_fails():
    assert SEVEN == 8


async def test_raises():
    raise KeyError("nowhere")
