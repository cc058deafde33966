"""The Monitor: a page that shows how models do, served by Voila as a service of the hub."""
