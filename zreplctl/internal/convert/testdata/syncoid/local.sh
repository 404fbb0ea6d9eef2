syncoid -r --no-sync-snap tank/data backup/data
