"""The leaderboard's parts: ``contest`` (what an entry is, and how it is measured), the entries, and the table."""
