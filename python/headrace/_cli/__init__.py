"""The command line, made with click; ``main.py`` has a row for each command."""
