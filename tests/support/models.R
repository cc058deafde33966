# Rscript --vanilla models.R INTO: one folder for each kind of version, with what R itself predicts.
#
# INTO/rows/<column> holds the rows (doubles, or lines of text), INTO/<kind>/model.rds a version's
# model and INTO/<kind>.expected its predictions of these rows, as doubles, class by class.

into <- commandArgs(trailingOnly = TRUE)[1]
set.seed(20110101)
n <- 1000L
some <- function(values, share = 0.1) replace(values, runif(n) < share, NA)
levels <- c("grün", "Ñandú", "日本", "b c", "")

rows <- data.frame(
  a = rnorm(n),
  b = rnorm(n) * 10^sample(-3:3, n, TRUE),
  small = sample.int(100L, n, TRUE) - 50L,
  group = factor(sample(levels[1:3], n, TRUE), levels[1:3]),
  x = some(sample(c(5e-324, 2.2e-308, 1.7976931348623157e308, -1e300, 0.1 + 0.2, -0, 1/3), n, TRUE)),
  big = some(2^31 + floor(runif(n) * 2^52)),
  count = some(sample(c(2147483647L, -2147483647L, 0L, 7L), n, TRUE)),
  flag = some(runif(n) < 0.5),
  level = factor(some(sample(levels, n, TRUE)), levels),
  text = some(sample(c("é", "", "plain", "\u1F600 x", "line\ttab"), n, TRUE)),
  day = as.Date("1969-12-25") + some(sample.int(30000L, n, TRUE)),
  at = as.POSIXct(some(round(runif(n, -1, 2) * 1e15)) / 1e6, origin = "1970-01-01", tz = "UTC"),
  stringsAsFactors = FALSE
)
number <- with(rows, 3 * a - b / 100 + small + 5 * as.integer(group) + rnorm(n))
side <- factor(ifelse(number > median(number), "über", "unter"))
third <- factor(c("low", "mid", "high")[1 + (number > -5) + (number > 12)])
wanted <- c("a", "b", "small", "group")
known <- cbind(rows[wanted], number = number, side = side, third = third)

dir.create(file.path(into, "rows"))
for (name in names(rows)) {
  column <- rows[[name]]
  path <- file.path(into, "rows", name)
  if (is.character(column) || is.factor(column)) {
    text <- as.character(column)
    text[is.na(text)] <- "<NA>"
    writeLines(text, path, useBytes = TRUE)
  } else {
    writeBin(as.double(column), path, endian = "little")
  }
}

version <- function(kind, model, expected, predict = NULL, packages = character(), code = NULL) {
  folder <- file.path(into, kind)
  dir.create(folder)
  saveRDS(list(format = 1L, model = model, predict = predict, packages = packages),
          file.path(folder, "model.rds"))
  if (!is.null(code)) {
    dir.create(file.path(folder, "code"))
    writeLines(code, file.path(folder, "code", "helper.R"), useBytes = TRUE)
  }
  writeBin(as.double(expected), file.path(into, paste0(kind, ".expected")), endian = "little")
}

line <- lm(number ~ a + b + small + group, known)
version("lm", line, predict(line, rows))
chance <- glm(side ~ a + b + small + group, binomial, known)
upper <- predict(chance, rows, type = "response")
version("glm", chance, cbind(1 - upper, upper))

holes <- cbind(rows[c("a", "small", "level", "count", "flag")], number = number)
tree <- rpart::rpart(number ~ ., holes, cp = 0.001)
version("rpart", tree, predict(tree, rows), packages = "rpart")

library(randomForest)
forest <- randomForest(known[wanted], known$third, ntree = 60)
votes <- predict(forest, rows[wanted], type = "prob")
version("randomForest", forest, votes, packages = "randomForest")

ranged <- ranger::ranger(third ~ a + b + small + group, known, num.trees = 50, num.threads = 1,
                         probability = TRUE, seed = 1)
version("ranger", ranged, predict(ranged, rows[wanted], num.threads = 1)$predictions)

matrix <- model.matrix(~ ., known[wanted])
net <- glmnet::cv.glmnet(matrix, known$third, family = "multinomial", nfolds = 3)
version("glmnet", net, predict(net, matrix, type = "response"), packages = "glmnet")

many <- nnet::multinom(third ~ a + small + group, known, trace = FALSE)
version("multinom", many, predict(many, rows, type = "probs")[, levels(third)])

# What is this model's only are its rows: it says whether it is given just these again.
version("same", rows, rep(1, n), packages = "stats", code = "same_bits <- function(a, b) {
  identical(a, b, num.eq = FALSE)
}", predict = function(model, newdata) rep(as.double(same_bits(model, newdata)), nrow(newdata)))

# Labels alone, by a class of the user's own with helper code.
version("labels", structure(list(cut = 0.25), class = "threshold"), match(
  ifelse(rows$a > 0.25, "日本", "grün"), c("grün", "日本")),
  code = "predict.threshold <- function(object, newdata, ...) {
  factor(ifelse(newdata$a > object$cut, '日本', 'grün'))
}")

# A column of numbers decides what happens to the worker that reads it.
version("hazard", NULL, rows$a, predict = function(model, newdata) {
  cat("printed\n")
  message("told")
  warning("warned")
  if (any(newdata$a == 666)) tools::pskill(Sys.getpid(), 9)
  if (any(newdata$a == 667)) quit(status = 3)
  if (any(newdata$a == 777)) repeat {}
  if (any(newdata$a == 888)) stop("no such luck: é")
  if (any(newdata$a == 999)) return(newdata$a[-1])
  if (any(newdata$a == 555)) Sys.sleep(0.3)
  ifelse(newdata$a == 444, NA, newdata$a)
})
