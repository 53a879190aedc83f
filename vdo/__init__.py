"""vdo turns a title and a description into one commit on one branch, built and proved by an agent.

Read the packages in the order in which a job flows through them: `job` (what is asked), `store` (the repository),
`context` (what an agent is shown), `agents` (who does the work), `sandbox` (where its code runs), `pipeline` (plan,
build, verify, commit), `merge`, `publish`, `service` (the use cases) and `cli` and `web` (views).
"""

__version__ = "0.1.0"
