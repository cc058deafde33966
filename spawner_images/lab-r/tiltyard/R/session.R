# One Python process a session carries out the verbs. It is started at the first one and ends with
# the session: its standard input closes then.

session <- new.env(parent = emptyenv())

python <- function() {
  named <- Sys.getenv("TILTYARD_PYTHON")
  if (nzchar(named)) return(named)
  found <- Sys.which(c("python", "python3"))
  found <- found[nzchar(found)]
  if (!length(found)) stop_with("There is no Python here: set TILTYARD_PYTHON to the one that has tiltyard.")
  found[[1]]
}

helper <- function() {
  # A forked session must not share the pipes of its parent.
  if (!identical(session$of, Sys.getpid())) session$process <- NULL
  if (is.null(session$process) || !session$process$is_alive()) {
    session$log <- tempfile("tiltyard-", fileext = ".log")
    session$process <- processx::process$new(
      python(), c("-P", "-m", "tiltyard.packaging.r"), stdin = "|", stdout = "|",
      stderr = session$log, encoding = "UTF-8", env = surroundings()
    )
    session$of <- Sys.getpid()
  }
  session$process
}

# R puts its own folders before the libraries of other programs, and Python would load a wrong one.
surroundings <- function() {
  all <- Sys.getenv()
  settings <- stats::setNames(as.character(all), names(all))
  paths <- strsplit(settings["LD_LIBRARY_PATH"], ":", fixed = TRUE)[[1]]
  own <- startsWith(paths, R.home()) | startsWith(paths, "/usr/lib")
  kept <- paste(paths[!is.na(paths) & !own], collapse = ":")
  settings <- settings[names(settings) != "LD_LIBRARY_PATH"]
  c(settings, if (nzchar(kept)) c(LD_LIBRARY_PATH = kept))
}

#' Ends the session's helper process; the next verb starts another.
#' @return Nothing.
#' @export
end_session <- function() {
  if (!is.null(session$process) && identical(session$of, Sys.getpid())) session$process$kill()
  session$process <- NULL
  invisible()
}

# Asks for a verb. `frame` is a data frame that goes along, `prepare` puts further files into the
# request's folder.
ask <- function(verb, arguments = list(), frame = NULL, prepare = NULL) {
  folder <- tempfile("tiltyard-")
  dir.create(folder, mode = "0700")
  on.exit(unlink(folder, recursive = TRUE))
  if (!is.null(frame)) write_table(frame, file.path(folder, "frame"))
  if (!is.null(prepare)) arguments <- c(arguments, prepare(folder))
  settings <- Sys.getenv()
  settings <- settings[startsWith(names(settings), "TILTYARD_")]
  request <- list(
    verb = verb, arguments = named(arguments), folder = getwd(),
    environment = named(as.list(settings))
  )
  writeLines(to_json(request), file.path(folder, "request.json"), useBytes = TRUE)
  exchange(folder)
  answered(folder)
}

exchange <- function(folder) {
  process <- helper()
  # What was interrupted half-way would answer the next question.
  done <- FALSE
  on.exit(if (!done) end_session())
  process$write_input(paste0(folder, "\n"))
  repeat {
    process$poll_io(-1)
    for (line in process$read_output_lines()) {
      if (identical(line, "answered")) {
        done <- TRUE
        return(invisible())
      }
      if (startsWith(line, "said ")) say(jsonlite::parse_json(substring(line, 6)))
    }
    if (!process$is_alive() && !process$is_incomplete_output()) stop_with(last_words())
  }
}

say <- function(line) {
  cat(line, "\n", sep = "")
  utils::flush.console()
}

last_words <- function() {
  said <- tryCatch(readLines(session$log, warn = FALSE), error = function(error) character())
  said <- said[nzchar(said)]
  paste0(
    "Python ended before it answered", if (length(said)) paste0(": ", said[[length(said)]]) else "",
    ". TILTYARD_PYTHON names the Python that has tiltyard[train]; it is ", python(), " now."
  )
}

answered <- function(folder) {
  told <- jsonlite::fromJSON(file.path(folder, "answer.json"), simplifyVector = FALSE)
  if (!is.null(told$error)) stop_with(told$error$message, told$error$code, told$error$details)
  if (is.null(told$table)) return(record(simplified(told$value)))
  frame <- read_table(file.path(folder, "answer"))
  for (name in names(told$attributes)) attr(frame, name) <- told$attributes[[name]]
  frame
}

record <- function(value) {
  if (is.list(value)) class(value) <- "tiltyard_record"
  value
}

#' @export
print.tiltyard_record <- function(x, ...) {
  known <- Filter(Negate(is.null), unclass(x))
  utils::str(known[lengths(known) > 0], no.list = TRUE, give.attr = FALSE, give.head = FALSE)
  invisible(x)
}

# Lists of plain values of one kind become vectors; null becomes NULL.
simplified <- function(value) {
  if (!is.list(value)) return(value)
  plain <- vapply(value, function(one) is.atomic(one) && length(one) == 1, NA)
  if (is.null(names(value)) && length(value) && all(plain)) return(unlist(value))
  lapply(value, simplified)
}

# An error with Tiltyard's sentence; its class says which: tiltyard_not_found, tiltyard_conflict …
stop_with <- function(message, code = "error", details = list()) {
  stop(structure(
    class = c(paste0("tiltyard_", code), "tiltyard_error", "error", "condition"),
    list(message = message, call = NULL, code = code, details = details)
  ))
}
