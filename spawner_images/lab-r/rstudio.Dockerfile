# lab-r with RStudio Server, from a .deb that the operator has; see docs/r.md.
ARG BASE
FROM ${BASE} AS tools
USER root
RUN --mount=type=secret,id=ca --mount=type=secret,id=sources --mount=type=tmpfs,target=/tmp \
    . /usr/local/lib/tiltyard/inputs.sh && apt_install python3-venv && python3 -m venv /opt/tools

FROM ${BASE}
USER root
ARG RSTUDIO_DEB_URL
ARG RSTUDIO_DEB_SHA256
COPY fetch-deb /usr/local/lib/tiltyard/
RUN --mount=type=secret,id=ca --mount=type=secret,id=sources --mount=type=tmpfs,target=/tmp \
    . /usr/local/lib/tiltyard/inputs.sh \
 && SSL_CERT_FILE=${PIP_CERT:-} python3 /usr/local/lib/tiltyard/fetch-deb \
      "$RSTUDIO_DEB_URL" "$RSTUDIO_DEB_SHA256" /tmp/rstudio.deb \
 && apt_install /tmp/rstudio.deb \
 && find / -xdev -perm /6000 -type f -exec chmod a-s {} +
RUN --mount=from=tools,source=/opt/tools,target=/opt/tools \
    --mount=type=bind,source=rstudio.lock,target=/run/requirements.lock \
    --mount=type=secret,id=ca --mount=type=secret,id=pip --mount=type=tmpfs,target=/tmp \
    . /usr/local/lib/tiltyard/inputs.sh \
 && pip_install /opt/venv/bin/python /run/requirements.lock && list_packages
LABEL org.opencontainers.image.description="JupyterLab and RStudio with R 4.5: ranger, randomForest, glmnet, rpart, caret, ggplot2 and tiltyard"
USER 10001:10001
