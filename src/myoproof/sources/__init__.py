"""Read: files become acquisitions and tables; identity is removed here."""
