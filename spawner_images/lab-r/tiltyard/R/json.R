# JSON that keeps every double, integer and text. One value is a plain value, several are a list;
# I() makes a list of one, list() with names an object.

to_json <- function(value) {
  if (is.null(value)) return("null")
  if (is.list(value)) return(json_list(value))
  if (inherits(value, "Date")) value <- format(value, "%Y-%m-%d")
  if (inherits(value, "POSIXt")) value <- format(as.POSIXct(value), "%Y-%m-%dT%H:%M:%OS6Z", tz = "UTC")
  if (is.factor(value)) value <- as.character(value)
  parts <- vapply(seq_along(value), function(i) json_value(value[[i]]), "")
  if (!is.null(names(value))) json_object(parts, names(value))
  else if (length(value) == 1 && !inherits(value, "AsIs")) parts
  else paste0("[", paste(parts, collapse = ","), "]")
}

json_list <- function(value) {
  parts <- vapply(value, to_json, "")
  if (!is.null(names(value))) json_object(parts, names(value))
  else paste0("[", paste(parts, collapse = ","), "]")
}

json_object <- function(parts, names) {
  if (!length(parts)) return("{}")
  paste0("{", paste0(vapply(names, json_text, ""), ":", parts, collapse = ","), "}")
}

json_value <- function(value) {
  if (is.nan(value) && is.double(value)) return("NaN")
  if (is.na(value)) return("null")
  if (is.logical(value)) return(if (value) "true" else "false")
  if (is.integer(value)) return(sprintf("%d", value))
  if (is.double(value)) {
    if (is.infinite(value)) return(if (value > 0) "Infinity" else "-Infinity")
    return(sprintf("%.17g", value))
  }
  json_text(as.character(value))
}

json_text <- function(text) as.character(jsonlite::toJSON(enc2utf8(text), auto_unbox = TRUE))
