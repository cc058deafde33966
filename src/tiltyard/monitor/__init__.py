"""The Monitor: a Voila page on which a stakeholder judges, retrains and promotes."""
