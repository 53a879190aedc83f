"""The way of a job: gather context, plan, build, verify, commit; and the scheduler of many."""
