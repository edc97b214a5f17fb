from mlops_core.cli.stack.prepare import pools


def test_the_pool_has_a_slot_for_each_gpu_and_one_where_there_is_none() -> None:
    assert pools(gpus=4)["gpu"]["slots"] == 4
    assert pools(gpus=0)["gpu"]["slots"] == 1


def test_a_task_that_waits_for_its_container_keeps_its_gpu() -> None:
    assert pools(gpus=1)["gpu"]["include_deferred"] is True
