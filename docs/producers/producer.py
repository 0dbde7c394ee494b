"""Send one prediction and its label to Plumbline. Needs: pip install kafka-python

Usage: python producer.py HOST:PORT
"""
import json
import sys
from datetime import datetime, timezone

from kafka import KafkaProducer


def now():
    return datetime.now(timezone.utc).isoformat()


def open_producer(brokers):
    # acks="all" waits for every replica. The key decides the partition. The
    # record's timestamp is left to the client: it says when the event became
    # known; ts says when it happened.
    return KafkaProducer(
        bootstrap_servers=brokers,
        acks="all",
        retries=5,
    )


def send(producer, topic, event):
    """Queue an event; the future's get() raises if it was not stored."""
    # allow_nan stays on: Plumbline counts NaN and Infinity of features.
    value = json.dumps(event).encode()
    return producer.send(topic, key=event["prediction_id"].encode(), value=value)


if __name__ == "__main__":
    producer = open_producer(sys.argv[1])
    sent = [
        send(producer, "predictions", {
            "prediction_id": "python-1",
            "model": "flight-delay",
            "deploy_hash": "3f9c2a",
            "stage": "production",
            "ts": now(),
            "features": {"distance": 733, "origin": "ATL", "delay": float("nan"), "gate": None},
            "score": 0.31,
            "weight": 10,  # one in ten requests is sent; 1 if all are
        }),
        send(producer, "labels", {
            "prediction_id": "python-1",
            "model": "flight-delay",
            "ts": now(),
            "label": "late",  # None withdraws a label
        }),
    ]
    for future in sent:
        future.get(timeout=30)
    producer.close()
