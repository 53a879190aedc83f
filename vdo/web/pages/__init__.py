"""The pages: HTML for people, made from the same views as the API."""
