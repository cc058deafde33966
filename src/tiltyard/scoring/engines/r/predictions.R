# What a model predicts when its version gives no function of its own, by its class. Numbers of a
# regression are a vector; chances are a matrix whose columns are named by the classes.

second <- function(chance, levels) {
  matrix(c(1 - chance, chance), ncol = 2, dimnames = list(NULL, levels))
}

by_class <- list(
  lm = function(model, newdata, classes) stats::predict(model, newdata),
  glm = function(model, newdata, classes) {
    fitted <- stats::predict(model, newdata, type = "response")
    if (is.null(classes)) return(fitted)
    response <- if (is.null(model$model)) NULL else stats::model.response(model$model)
    levels <- if (is.factor(response)) levels(response)
              else if (is.logical(response)) c("FALSE", "TRUE")
              else if (is.numeric(response) && is.null(dim(response))) c("0", "1")
              else classes
    second(fitted, levels)
  },
  rpart = function(model, newdata, classes) {
    stats::predict(model, newdata, type = if (model$method == "class") "prob" else "vector")
  },
  randomForest = function(model, newdata, classes) {
    stats::predict(model, newdata, type = if (model$type == "regression") "response" else "prob")
  },
  ranger = function(model, newdata, classes) {
    said <- stats::predict(model, data = newdata, num.threads = 1, verbose = FALSE)$predictions
    if (model$treetype == "Probability estimation" && is.null(dim(said)))
      said <- matrix(said, nrow = 1, dimnames = list(NULL, colnames(model$predictions)))
    said
  },
  cv.glmnet = function(model, newdata, classes) {
    glmnet(model, model$glmnet.fit, newdata, classes)
  },
  glmnet = function(model, newdata, classes) {
    if (length(model$lambda) > 1)
      stop("a glmnet of several lambdas does not say which one predicts: log a cv.glmnet, ",
           "one that was fitted with a single lambda, or give predict = function(model, newdata)")
    glmnet(model, model, newdata, classes)
  },
  multinom = function(model, newdata, classes) {
    said <- stats::predict(model, newdata, type = "probs")
    if (length(model$lev) == 2) return(second(as.vector(said), model$lev))
    if (is.null(dim(said))) matrix(said, nrow = 1, dimnames = list(NULL, model$lev)) else said
  },
  train = function(model, newdata, classes) {
    chances <- !is.null(classes) && is.function(model$modelInfo$prob) && model$control$classProbs
    stats::predict(model, newdata, type = if (chances) "prob" else "raw",
                   na.action = stats::na.pass)
  }
)

glmnet <- function(model, fit, newdata, classes) {
  wanted <- rownames(if (is.list(fit$beta)) fit$beta[[1]] else fit$beta)
  if (!all(wanted %in% names(newdata)) || any(vapply(newdata[wanted], is.factor, NA))) {
    frame <- stats::model.frame(~ ., newdata, na.action = stats::na.pass)
    newdata <- stats::model.matrix(~ ., frame)
    lacking <- setdiff(wanted, colnames(newdata))
    if (length(lacking))
      stop("this glmnet was fitted on columns that newdata does not give (",
           paste(lacking, collapse = ", "), "): give predict = function(model, newdata)")
    newdata <- newdata[, wanted, drop = FALSE]
  } else {
    newdata <- data.matrix(newdata[wanted])
  }
  said <- stats::predict(model, newx = newdata, type = "response")
  if (inherits(fit, "multnet")) {
    matrix(said, nrow = nrow(newdata), dimnames = list(NULL, dimnames(said)[[2]]))
  } else if (inherits(fit, "lognet") && !is.null(classes)) {
    second(as.vector(said), fit$classnames)
  } else {
    as.vector(said)
  }
}

# Packages without which R does not know how these classes predict.
homes <- c(
  rpart = "rpart", randomForest = "randomForest", ranger = "ranger", glmnet = "glmnet",
  cv.glmnet = "glmnet", multinom = "nnet", train = "caret"
)
