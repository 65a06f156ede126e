"""Where workers are on the machines of a cluster."""

from faceswap.farm.cluster import Node, plan_slots


def test_each_card_has_a_worker_with_its_share_of_the_processor() -> None:
    slots = plan_slots([Node("1", "one", 32, 4), Node("2", "head", 8, 0)], None)
    assert [(slot.host, slot.number) for slot in slots] == [("one", n) for n in range(4)]
    assert {(slot.cpus, slot.gpus) for slot in slots} == {(8, 1)}


def test_without_cards_each_machine_has_a_worker_with_all_of_it() -> None:
    slots = plan_slots([Node("1", "one", 16, 0), Node("2", "two", 2, 0)], None)
    assert [(slot.host, slot.cpus, slot.gpus) for slot in slots] == [("one", 16, 0), ("two", 2, 0)]


def test_as_many_as_were_asked_for_share_a_machine() -> None:
    (one, two) = plan_slots([Node("1", "one", 2, 0)], 2)
    assert (one.cpus, two.cpus) == (1, 1)
    assert one != two
    slots = plan_slots([Node("1", "one", 2, 1)], 3)
    assert len(slots) == 3
    # No more than there is: Ray would never start the last one.
    assert sum(slot.cpus for slot in slots) <= 2
    assert sum(slot.gpus for slot in slots) <= 1
    assert plan_slots([], None) == []
