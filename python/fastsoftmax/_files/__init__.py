"""The files of users: written whole, and read without trust."""
