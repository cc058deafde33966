# The hours of the bikeshare data.

# Returns the instant of each row. The data has local hours without a zone; they are kept as UTC, so
# that each is there once.
#
# day: of the year 2011, from 1. hour: 0 to 23.
event_time <- function(day, hour) {
  as.POSIXct("2011-01-01", tz = "UTC") + 86400 * (day - 1) + 3600 * hour
}
