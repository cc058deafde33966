#' Reads the data lake.
#'
#' @param sql One SELECT; `:name` stands for a parameter.
#' @param params A list of values by name.
#' @return A data frame, typed as the database has it.
#' @export
read_lake <- function(sql, params = NULL) {
  ask("read_lake", list(sql = sql, params = params))
}

#' Writes a model's history: the columns that applications send, the target, perhaps event times.
#'
#' The model is made if it is new; otherwise its call schema widens by new columns.
#'
#' @param model Its name: lower-case letters, digits, `_` and `-`.
#' @param data A data frame in the order of its time.
#' @param target Name of the column to predict.
#' @param task `"regression"` or `"classification"`.
#' @param event_time Name of the column of times that says when a row happened.
#' @param owner_group Whose model a new one is.
#' @return The snapshot: a list with `digest`, `rows`, `columns` and so on.
#' @export
write_history <- function(model, data, target, task, event_time = NULL, owner_group = NULL) {
  ask("write_history", list(
    model = model, target = target, task = task, event_time = event_time, owner_group = owner_group
  ), frame = checked_frame(data))
}

#' Reads a model's history as it was written.
#'
#' Within a run it is the snapshot that the run was given, otherwise the latest one. Whole numbers
#' beyond 2^31 are doubles; beyond 2^53 they are refused.
#'
#' @param model Its name.
#' @param start,end Rows of this event time or later, and of an earlier one than this; texts or
#'   times, UTC.
#' @param digest Of the snapshot.
#' @param columns Those wanted.
#' @return A data frame; its attribute `history_digest` says of which snapshot.
#' @export
read_history <- function(model, start = NULL, end = NULL, digest = NULL, columns = NULL) {
  ask("read_history", list(
    model = model, start = start, end = end, digest = digest,
    columns = if (!is.null(columns)) I(columns)
  ))
}

#' Executes a pipeline's `train.ipynb` with parameters and registers what it logs.
#'
#' @param pipeline Folder of the pipelines.
#' @param ... Parameters of the notebook, by name.
#' @param model Of another name than the pipeline.
#' @param wait Print progress by cells and return the ended run.
#' @param timeout_s Seconds after which the run is killed.
#' @param force Run even when the same run has succeeded before.
#' @param deploy Deploy the version as a challenger.
#' @return The run, a list.
#' @export
run_training <- function(pipeline, ..., model = NULL, wait = TRUE, timeout_s = 3600, force = FALSE,
                         deploy = FALSE) {
  ask("run_training", list(
    pipeline = pipeline, parameters = named(list(...)), model = model, wait = wait,
    timeout_s = timeout_s, force = force, deploy = deploy
  ))
}

#' Runs a version as a challenger.
#'
#' @param model A model's name.
#' @param version One of its versions.
#' @param replicas Scorers.
#' @param engine Instead of the version's own.
#' @param size What each scorer may use: `"small"`, `"medium"` or `"large"`.
#' @param wait Until all scorers have repeated the golden rows.
#' @param timeout_s Seconds to wait.
#' @return The deployment, a list.
#' @export
deploy_version <- function(model, version, replicas = 1, engine = NULL, size = "small", wait = TRUE,
                           timeout_s = 120) {
  ask("deploy_version", list(
    model = model, version = version, replicas = replicas, engine = engine, size = size,
    wait = wait, timeout_s = timeout_s
  ))
}

#' Makes a deployed version champion.
#'
#' @param model Its name.
#' @param version Who is to answer.
#' @param reason Why; the ledger keeps it.
#' @param expected_champion Who must be champion now, `NULL` for nobody; `"current"` for whoever is.
#' @return The promotion, a list; with `waiting_for` empty the old champion answers no more.
#' @export
promote_version <- function(model, version, reason, expected_champion = "current") {
  ask("promote_version", list(
    model = model, version = version, reason = reason, expected_champion = expected_champion
  ))
}

#' Makes the champion before this one champion again.
#'
#' @inheritParams promote_version
#' @return The promotion, a list.
#' @export
rollback <- function(model, reason) ask("rollback", list(model = model, reason = reason))

#' Takes a version's deployment away.
#'
#' @inheritParams deploy_version
#' @return The deployment, a list.
#' @export
retire_version <- function(model, version) {
  ask("retire_version", list(model = model, version = version))
}

#' Asks the champion through the gateway, as an application does; the calls are logged.
#'
#' @param model A model's name.
#' @param rows A data frame of the columns that applications send; `NA` is missing.
#' @return A data frame, a row each: `id` (for [send_actuals()]), `value`, `version` and, of a
#'   classifier, `probabilities`, a matrix with a column a class.
#' @export
predict_model <- function(model, rows) {
  ask("predict_model", list(model = model), frame = checked_frame(rows))
}

#' Sends the ground truth of earlier predictions.
#'
#' @param model A model's name.
#' @param actuals A data frame of `id`, `value` and perhaps `known_at`.
#' @return How many were accepted.
#' @export
send_actuals <- function(model, actuals) {
  ask("send_actuals", list(model = model), frame = checked_frame(actuals))
}

#' The models there are.
#' @return A data frame: name, task, champion, owner_group, target, description.
#' @export
models <- function() ask("models")

#' A model's versions.
#' @param model A model's name.
#' @return A data frame: version, engine, state, created_at, and a column a metric.
#' @export
versions <- function(model) ask("versions", list(model = model))

checked_frame <- function(data) {
  if (!is.data.frame(data)) stop_with(paste0(
    "Give a data frame, not ", class(data)[[1]], "."
  ), "invalid_input")
  # A tibble or data.table is one, too.
  as.data.frame(data, stringsAsFactors = FALSE)
}

# A list that is an object in JSON even when it is empty.
named <- function(values) {
  if (length(values) == 0) return(structure(list(), names = character()))
  if (is.null(names(values)) || any(!nzchar(names(values)))) stop_with(
    "Give every parameter by its name, such as n_estimators = 100.", "invalid_input"
  )
  values
}
