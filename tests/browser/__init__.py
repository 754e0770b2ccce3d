"""The admin in a real browser, under a policy that allows nothing inline."""
