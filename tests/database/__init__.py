"""The tests that touch the database: all of them run on SQLite and on PostgreSQL.

`pytest` runs them on SQLite; `tests/test_on_postgresql.py` runs them again.
"""
