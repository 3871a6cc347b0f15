"""The Python side of the function channel: loads one function and runs its calls."""
