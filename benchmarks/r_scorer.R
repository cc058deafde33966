# Rscript --vanilla r_scorer.R models INTO: a randomForest and a glm of iris, one folder each.
# Rscript --vanilla r_scorer.R serve FOLDER PORT: plumber, serving the model of such a folder.

arguments <- commandArgs(trailingOnly = TRUE)

if (arguments[1] == "models") {
  set.seed(1)
  save <- function(name, model) {
    dir.create(file.path(arguments[2], name))
    saveRDS(list(format = 1L, model = model, predict = NULL, packages = character()),
            file.path(arguments[2], name, "model.rds"))
  }
  save("forest", randomForest::randomForest(Species ~ ., iris))
  # Without Sepal.Length the classes are not separable, so that the fit converges.
  save("glm", glm((Species == "virginica") ~ Sepal.Width + Petal.Length + Petal.Width,
                  binomial, iris))
} else {
  model <- readRDS(file.path(arguments[2], "model.rds"))$model
  if (inherits(model, "randomForest")) loadNamespace("randomForest")
  type <- if (inherits(model, "randomForest")) "prob" else "response"
  predict_rows <- function(req) as.data.frame(predict(model, req$body$rows, type = type))
  api <- plumber::pr_post(plumber::pr(), "/predict", predict_rows,
                          serializer = plumber::serializer_json(digits = NA))
  plumber::pr_run(api, host = "127.0.0.1", port = as.integer(arguments[3]), docs = FALSE,
                  quiet = TRUE)
}
