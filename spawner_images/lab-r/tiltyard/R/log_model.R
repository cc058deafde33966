#' Makes a version of a model: in a run for the runner, else straight at control.
#'
#' `fit` is called twice: with the earlier rows, for metrics on the later ones, and with all rows, for
#' the version. It gets the inputs and the target: doubles, integers, logicals, factors, text, `Date`
#' and `POSIXct` in UTC, as a scorer holds them; NaN is `NA`, an ordered factor a plain one. A target
#' of text is a factor of the classes that occur.
#'
#' lm, glm, rpart, randomForest, ranger, glmnet, multinom and caret's models predict by themselves;
#' for any other give `predict`. Classification: `predict` returns a matrix or data frame of
#' probabilities with a column named for each class, or a vector of classes.
#'
#' @param fit `function(data)` that returns a fitted model.
#' @param data A data frame with the inputs, the target and perhaps the event time; by default the
#'   model's history.
#' @param model Name of the model.
#' @param target Column to predict; by default the model's.
#' @param task `"regression"` or `"classification"`; by default the model's.
#' @param event_time Column of the rows' times; by default the model's. Without one, rows are in the
#'   order of their time.
#' @param features The inputs; by default all columns but target and event time.
#' @param predict `function(model, newdata)`, if the model does not predict by itself. Functions that
#'   it calls belong in `code`.
#' @param packages Names of packages that have to be attached for predicting.
#' @param code Paths of `.R` files that are sourced before the model is loaded.
#' @param parameters A list, to be shown with the version.
#' @param holdout Share of the latest rows that metrics are computed on; 0 for none.
#' @param unknown_levels Category = `"refuse"`, `"missing"` or `"pass"`, for levels that were not in
#'   training; by default `"pass"` where the model copes, else `"refuse"`.
#' @param description A text for people.
#' @param check Try the version in a scorer of its own before it is handed over.
#' @return A list: model, version (`NULL` in a run, which registers it when the notebook has ended),
#'   metrics, signature, and `fitted`, the model that was fitted on all rows.
#' @export
log_model <- function(fit, data = NULL, model, target = NULL, task = NULL, event_time = NULL,
                      features = NULL, predict = NULL, packages = character(), code = character(),
                      parameters = list(), holdout = 0.2, unknown_levels = NULL, description = "",
                      check = TRUE) {
  if (!is.function(fit)) stop_with(
    "Give fit as a function of the data that returns a fitted model, such as fit = function(data) lm(y ~ ., data).",
    "invalid_input"
  )
  if (is.null(data)) data <- read_history(model)
  digest <- attr(data, "history_digest")
  data <- checked_frame(data)
  if (is.null(target) || is.null(event_time)) {
    known <- tryCatch(ask("model_facts", list(model = model)), tiltyard_error = function(error) {
      if (is.null(target)) stop(error)
      NULL
    })
    if (is.null(target)) target <- known$call_schema$target
    if (is.null(event_time)) event_time <- known$call_schema$event_time
    if (is.null(task)) task <- known$task
  }
  if (is.null(features)) features <- setdiff(names(data), c(target, event_time))
  data <- as_served(data[intersect(c(features, target, event_time), names(data))])
  learnt <- data[intersect(c(features, target), names(data))]
  fitted <- fit(with_classes(learnt, target))
  earlier <- earlier_rows(data, event_time, target, task, holdout)
  before <- if (!is.null(earlier)) fit(with_classes(learnt[earlier, , drop = FALSE], target))
  answer <- ask("log_model", list(
    model = model, target = target, task = task, event_time = event_time, features = I(features),
    parameters = named(as.list(parameters)), holdout = holdout,
    unknown_levels = if (length(unknown_levels)) as.list(unknown_levels),
    description = description, check = check, digest = digest, libraries = libraries(packages, fitted)
  ), frame = data, prepare = function(folder) {
    save_model(fitted, predict, packages, folder)
    if (!is.null(before)) save_model(before, predict, packages, file.path(folder, "earlier"))
    copy_code(code, folder, !is.null(before))
    list(folder = folder)
  })
  answer$fitted <- fitted
  if (is.null(answer$version)) message("The version is registered when the run ends.")
  invisible(answer)
}

# The types that a scorer builds again.
as_served <- function(data) {
  for (name in names(data)) {
    column <- data[[name]]
    type <- type_of(column, name)
    if (type == "factor") column <- factor(column, levels = levels(column), ordered = FALSE)
    if (type == "Date") column <- structure(floor(as.double(unclass(column))), class = "Date")
    if (type == "POSIXct") column <- .POSIXct(round(as.double(unclass(column)) * 1e6) / 1e6, "UTC")
    if (type == "integer64") column <- as.double(column)
    if (type == "double") column <- as.double(column)
    if (type == "double") column[is.nan(column)] <- NA_real_
    if (type == "character") column <- enc2utf8(as.character(column))
    data[[name]] <- column
  }
  data
}

# Most of R's classifiers want a factor, and some none of its levels empty.
with_classes <- function(learnt, target) {
  column <- learnt[[target]]
  if (is.character(column)) column <- factor(column, sort(unique(column), method = "radix"))
  if (is.factor(column)) learnt[[target]] <- droplevels(column)
  learnt
}

# Places of the rows before the hold-out; NULL where there is none, or none is possible.
earlier_rows <- function(data, event_time, target, task, holdout) {
  order <- if (!is.null(event_time) && event_time %in% names(data)) order(data[[event_time]])
           else seq_len(nrow(data))
  cut <- nrow(data) - round(nrow(data) * holdout)
  if (holdout == 0 || cut <= 0 || cut >= nrow(data)) return(NULL)
  earlier <- order[seq_len(cut)]
  classes <- identical(task, "classification") || is.factor(data[[target]])
  if (classes && length(unique(data[[target]][earlier])) < 2) return(NULL)
  earlier
}

save_model <- function(fitted, predict, packages, folder) {
  dir.create(folder, showWarnings = FALSE)
  if (!is.null(predict)) {
    # What surrounds the function would be saved with it: a notebook's whole data.
    if (!identical(environment(predict), globalenv())) predict <- trimmed(predict)
  }
  bundle <- list(format = 1L, model = fitted, predict = predict, packages = as.character(packages))
  saveRDS(bundle, file.path(folder, "model.rds"), version = 3)
}

# A function with only those of its surroundings that it names.
trimmed <- function(fun) {
  around <- environment(fun)
  if (is.null(around) || isNamespace(around) || identical(around, globalenv())) return(fun)
  wanted <- intersect(all.names(body(fun), unique = TRUE), ls(around, all.names = TRUE))
  environment(fun) <- list2env(mget(wanted, envir = around), parent = globalenv())
  fun
}

copy_code <- function(code, folder, twice) {
  for (path in code) {
    if (!file.exists(path)) stop_with(paste0("code names ", path, ", which is no file here."), "invalid_input")
    if (!grepl("\\.[rR]$", path)) stop_with(paste0("code names ", path, ", which is no .R file."), "invalid_input")
  }
  if (!length(code)) return()
  for (top in c(folder, if (twice) file.path(folder, "earlier"))) {
    dir.create(file.path(top, "code"))
    file.copy(code, file.path(top, "code"))
  }
}

libraries <- function(packages, fitted) {
  known <- c(lm = "stats", glm = "stats", rpart = "rpart", randomForest = "randomForest",
             ranger = "ranger", glmnet = "glmnet", cv.glmnet = "glmnet", multinom = "nnet",
             train = "caret")
  of <- stats::na.omit(unique(c(packages, known[intersect(class(fitted), names(known))])))
  versions <- lapply(of, function(name) {
    tryCatch(as.character(utils::packageVersion(name)), error = function(error) "not installed")
  })
  c(list(r = paste(R.version$major, R.version$minor, sep = ".")), stats::setNames(versions, of))
}
