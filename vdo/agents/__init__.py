"""Who does the work of a job: one module for each kind of agent, and the prompts they are given."""
