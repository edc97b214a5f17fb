from mlops_core.containers.usage import Usage

_MB = 1024 * 1024


def sample(*, usage: int, cpu: int, **memory: int) -> dict[str, object]:
    return {"memory_stats": {"usage": usage, **memory}, "cpu_stats": {"cpu_usage": {"total_usage": cpu}}}


def test_peak_is_the_control_groups_own_where_it_remembers_one() -> None:
    assert Usage().with_sample(sample(usage=10 * _MB, cpu=1, max_usage=50 * _MB)).peak_memory_mb == 50


def test_peak_is_the_highest_sample_where_there_is_nothing_else() -> None:
    usage = Usage()
    for used, spent in ((10, 1_000_000_000), (30, 2_500_000_000), (20, 2_000_000_000)):
        usage = usage.with_sample(sample(usage=used * _MB, cpu=spent))

    assert usage == Usage(peak_memory_mb=30, cpu_seconds=2.5)


def test_empty_answer_about_an_ended_container_changes_nothing() -> None:
    usage = Usage(peak_memory_mb=3, cpu_seconds=1)

    assert usage.with_sample({"memory_stats": {}, "cpu_stats": {"cpu_usage": {"total_usage": 0}}}) == usage
    assert Usage().with_sample({}) == Usage()
