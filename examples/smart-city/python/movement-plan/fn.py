"""Keeps the latest cars on the crossing, on the node where it runs, and lets the lights know."""

from time import time

import enoki
import kv

CARS_MAX = 12


def call(i: dict) -> dict:
    car, objects = i.get("carDirection"), i.get("objects")

    def plan_with(cars):
        cars = cars or []
        if objects is not None:
            return cars[: len(objects)]
        if car is None:
            return cars
        return [car, *(other for other in cars if other["plate"] != car["plate"])][:CARS_MAX]

    plan = kv.update("cars", plan_with)
    enoki.send("light-phase-calculation", {"plan": plan, "at": int(time() * 1000)})
    return {}
