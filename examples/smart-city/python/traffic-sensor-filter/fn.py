"""Lets sensible readings of cars through to the plan of movements, and says whether this was one."""

import re

import enoki

PLATE = re.compile(r"[A-Za-z]{2} [A-Za-z]{2} \d{1,7}", re.ASCII)
# 140 km/h in m/s: whatever is faster is a fault of the sensor. A car that backs up has a negative speed.
SPEEDS = (-20, 38.8889)
DIRECTIONS = (0, 4)


def call(i: dict) -> dict:
    car = i.get("carDirection")
    if not is_car_direction(car):
        return {"accepted": False}
    enoki.call("movement-plan", {"carDirection": car})
    return {"accepted": True}


def is_car_direction(car) -> bool:
    if not isinstance(car, dict):
        return False
    plate = car.get("plate")
    return (
        isinstance(plate, str)
        and PLATE.fullmatch(plate) is not None
        and is_within(car.get("direction"), DIRECTIONS)
        and is_within(car.get("speed"), SPEEDS)
    )


def is_within(value, bounds) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and bounds[0] <= value <= bounds[1]
