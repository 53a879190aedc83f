"""Everything that `make bench` measures, one after the other; exit code 1 when a goal is missed."""

from __future__ import annotations

from bench import bench_create, bench_job, bench_read, bench_sandbox, bench_web


def main() -> int:
    results = [module.main() for module in (bench_job, bench_read, bench_create, bench_sandbox, bench_web)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
