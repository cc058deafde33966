# Rscript --vanilla worker.R IN OUT: scores for tiltyard.scoring.engines.r, which numbers two pipes.
#
# In come serialized R values: first a list of folder, classes and chances, then one data frame a
# batch. Out goes for each: an int32 that says what follows, an int32 that counts it, and it.

local({

NUMBERS <- 0L # doubles, one a row
LABELS <- 1L  # int32, one a row: the class's place, 0 where it is none
CHANCES <- 2L # doubles, class by class
ERROR <- 3L   # bytes of UTF-8
READY <- 4L   # the same
LACKING <- 5L # the same: names of packages, one a line

arguments <- commandArgs(trailingOnly = TRUE)
input <- file(paste0("/dev/fd/", arguments[1]), "rb")
output <- file(paste0("/dev/fd/", arguments[2]), "wb")
own <- sub("^--file=", "", grep("^--file=", commandArgs(FALSE), value = TRUE)[1])
sys.source(file.path(dirname(own), "predictions.R"), environment())
version <- new.env()

load_version <- function(options) {
  helpers <- sort(list.files(file.path(options$folder, "code"), "\\.[rR]$", full.names = TRUE),
                  method = "radix")
  bundle <- readRDS(file.path(options$folder, "model.rds"))
  if (!is.list(bundle) || !identical(as.integer(bundle$format), 1L))
    stop("model.rds is not of a format that this scorer knows")
  class <- intersect(class(bundle$model), names(homes))
  needed <- if (is.null(bundle$predict)) homes[class]
  lacking <- Filter(function(name) !nzchar(system.file(package = name)),
                    unique(c(bundle$packages, needed)))
  if (length(lacking)) return(list(LACKING, lacking))
  for (name in bundle$packages)
    suppressPackageStartupMessages(library(name, character.only = TRUE))
  for (name in needed) loadNamespace(name)
  for (helper in helpers)
    source(helper, local = globalenv(), echo = FALSE, keep.source = FALSE, encoding = "UTF-8")
  version$classes <- options$classes
  version$chances <- options$chances
  version$predict <- predict_of(bundle)
  list(READY, R.version.string)
}

predict_of <- function(bundle) {
  own <- bundle$predict
  if (is.function(own)) return(function(newdata) own(bundle$model, newdata))
  class <- intersect(class(bundle$model), names(by_class))
  if (!length(class)) return(function(newdata) stats::predict(bundle$model, newdata))
  known <- by_class[[class[1]]]
  function(newdata) known(bundle$model, newdata, version$classes)
}

score <- function(newdata) {
  set.seed(1L) # ties that a model breaks by lot
  said <- version$predict(newdata)
  n <- .row_names_info(newdata, 2L)
  if (is.null(version$classes)) return(list(NUMBERS, numbers(said, n)))
  if (is.data.frame(said) || (is.matrix(said) && is.numeric(said))) {
    chances <- in_order(as.matrix(said), n)
    if (version$chances) return(list(CHANCES, as.double(chances)))
    found <- max.col(chances, "first")
    found[is.na(rowSums(chances))] <- 0L
    return(list(LABELS, found))
  }
  if (version$chances) stop("predict gave no columns of probabilities, but this version has them")
  list(LABELS, places(said, n))
}

numbers <- function(said, n) {
  if (is.data.frame(said) && length(said) == 1) said <- said[[1]]
  if (!is.numeric(said) || is.factor(said) || length(said) != n)
    stop("predict gave ", kind(said), " for ", n, " rows instead of ", n, " numbers")
  as.double(said)
}

in_order <- function(chances, n) {
  classes <- version$classes
  if (!is.numeric(chances) || nrow(chances) != n || !setequal(colnames(chances), classes))
    stop("predict gave ", kind(chances), " for ", n, " rows; its columns must be named ",
         "by the classes ", paste(classes, collapse = ", "))
  if (identical(colnames(chances), classes)) chances else chances[, classes, drop = FALSE]
}

places <- function(said, n) {
  if (length(said) != n) stop("predict gave ", length(said), " labels for ", n, " rows")
  if (is.numeric(said) && !is.factor(said))
    match(said, suppressWarnings(as.numeric(version$classes)), 0L)
  else match(as.character(said), version$classes, 0L)
}

kind <- function(said) {
  if (is.null(dim(said))) paste(length(said), class(said)[1])
  else paste0("a ", class(said)[1], " of ", nrow(said), " rows and columns ",
              paste(colnames(said), collapse = ", "))
}

answer <- function(work, value) {
  answer <- tryCatch(work(value), error = function(error)
    list(ERROR, conditionMessage(error)))
  content <- answer[[2]]
  if (is.character(content))
    content <- charToRaw(enc2utf8(paste(content, collapse = "\n")))
  writeBin(c(answer[[1]], length(content)), output, endian = "little")
  writeBin(content, output, endian = "little")
  flush(output)
}

await <- function() {
  tryCatch(unserialize(input), error = function(error) quit("no"))
}

answer(load_version, await())
# From here on what a model prints or warns would fill the scorer's log.
options(warn = -1)
nothing <- file("/dev/null", "w")
sink(nothing)
sink(nothing, type = "message")
repeat answer(score, await())

}, envir = new.env(parent = .BaseNamespaceEnv)) # which sees the user's names, after R's own
