# A data frame in a folder, exactly: `table.json` names the columns and their types, and a file each,
# numbered from 0, holds the values, little endian. Doubles, dates (days) and instants (seconds) are
# 8 bytes, integers, logicals and codes of factors 4; of text `<n>` holds the lengths in bytes, -1 for
# NA, and `<n>.text` the UTF-8.

write_table <- function(frame, folder) {
  dir.create(folder, mode = "0700")
  names <- enc2utf8(names(frame))
  columns <- lapply(seq_along(names), function(i) {
    c(list(name = names[[i]]), write_column(frame[[i]], names[[i]], file.path(folder, i - 1)))
  })
  told <- to_json(list(rows = nrow(frame), columns = columns))
  writeLines(told, file.path(folder, "table.json"), useBytes = TRUE)
}

read_table <- function(folder) {
  told <- jsonlite::fromJSON(file.path(folder, "table.json"), simplifyVector = FALSE)
  columns <- lapply(seq_along(told$columns), function(i) {
    read_column(told$columns[[i]], file.path(folder, i - 1), told$rows)
  })
  names(columns) <- vapply(told$columns, function(column) column$name, "")
  structure(columns, class = "data.frame", row.names = seq_len(told$rows))
}

# What a column is called in the table, or why it has no place there.
type_of <- function(column, name) {
  if (is.factor(column)) return("factor")
  if (inherits(column, "Date")) return("Date")
  if (inherits(column, "POSIXct")) return("POSIXct")
  if (inherits(column, "integer64")) return("integer64")
  if (is.object(column) && !inherits(column, "AsIs")) unusable(column, name)
  if (!is.null(dim(column)) || !is.atomic(column)) unusable(column, name)
  type <- typeof(column)
  if (!type %in% c("double", "integer", "logical", "character")) unusable(column, name)
  type
}

unusable <- function(column, name) {
  stop_with(paste0(
    "Column '", name, "' is of class ", class(column)[[1]], ", which has no place in a history: make ",
    "it numbers, logicals, text, a factor, dates (as.Date) or times (as.POSIXct)."
  ), "invalid_input", list(column = name))
}

write_column <- function(column, name, path) {
  type <- type_of(column, name)
  told <- list(type = type)
  if (type == "factor") told$levels <- I(enc2utf8(levels(column)))
  if (type == "character") write_text(column, name, path)
  else if (type %in% c("integer", "logical", "factor")) write_values(as.integer(column), path)
  else if (type == "integer64") write_values(unclass(column), path)
  else write_values(as.double(unclass(column)), path)
  told
}

write_values <- function(values, path) {
  attributes(values) <- NULL
  file <- file(path, "wb")
  on.exit(close(file))
  writeBin(values, file, endian = "little")
}

write_text <- function(column, name, path) {
  attributes(column) <- NULL
  wrong <- which(!is.na(column) & !validEnc(column))
  if (length(wrong)) stop_with(paste0(
    "Column '", name, "' holds text of an unknown encoding in row ", wrong[[1]],
    ": tell it by Encoding() or iconv()."
  ), "invalid_input", list(column = name))
  texts <- enc2utf8(column)
  lengths <- nchar(texts, type = "bytes")
  lengths[is.na(column)] <- -1L
  write_values(as.integer(lengths), path)
  file <- file(paste0(path, ".text"), "wb")
  on.exit(close(file))
  writeBin(charToRaw(paste(texts[!is.na(column)], collapse = "")), file)
}

read_column <- function(told, path, rows) {
  switch(told$type,
    double = read_values(path, "double", rows),
    integer = read_values(path, "integer", rows),
    logical = as.logical(read_values(path, "integer", rows)),
    factor = structure(
      read_values(path, "integer", rows),
      levels = as.character(unlist(told$levels)), class = "factor"
    ),
    character = read_text(path, rows),
    json = lapply(read_text(path, rows), function(text) simplified(jsonlite::parse_json(text))),
    Date = structure(read_values(path, "double", rows), class = "Date"),
    POSIXct = structure(
      read_values(path, "double", rows), class = c("POSIXct", "POSIXt"), tzone = "UTC"
    ),
    matrix = matrix(
      read_values(path, "double", rows * length(told$names)), nrow = rows,
      dimnames = list(NULL, as.character(unlist(told$names)))
    )
  )
}

read_values <- function(path, what, rows) readBin(path, what, rows, endian = "little")

read_text <- function(path, rows) {
  lengths <- read_values(path, "integer", rows)
  known <- lengths >= 0
  file <- file(paste0(path, ".text"), "rb")
  on.exit(close(file))
  texts <- rep(NA_character_, rows)
  texts[known] <- readChar(file, lengths[known], useBytes = TRUE)
  Encoding(texts) <- "UTF-8"
  texts
}
