"""The names of a snapshot's columns. Light: the declaration imports it."""

KEY = "flight_id"
TARGET = "arrived_late"

SCHEDULE_TEXTS = ("carrier", "origin", "dest")
SCHEDULE_NUMBERS = (
    "distance_miles",
    "departure_hour",
    "departure_minute",
    "arrival_hour",
    "arrival_minute",
    "day_of_week",
    "scheduled_clock_minutes",
)
AIRCRAFT_TEXTS = ("aircraft_type", "aircraft_manufacturer", "aircraft_engine_type")
AIRCRAFT_NUMBERS = ("aircraft_engines", "aircraft_seats", "aircraft_age_years")
WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib")

FEATURES = (
    *SCHEDULE_TEXTS,
    *SCHEDULE_NUMBERS,
    *AIRCRAFT_TEXTS,
    *AIRCRAFT_NUMBERS,
    *WEATHER,
)
"""Every feature; the snapshot has the key, ``scheduled_date`` and the target besides."""
