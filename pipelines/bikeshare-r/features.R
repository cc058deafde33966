# What the models derive from the columns that applications send.

# Returns the rows with a column `clock`: "work 08", "free 23" and so on.
#
# rides: with `hour` (UTC, the local hour of Washington by name) and `workingday`.
with_clock <- function(rides) {
  day <- ifelse(rides$workingday == 1, "work", "free")
  rides$clock <- paste(day, format(rides$hour, "%H", tz = "UTC"))
  rides
}
