"""What a run will do, decided and estimated before it begins."""
