# The image that candidates are fitted in: the library, the models and PyTorch, without Airflow.
#   docker build --file docker/train.Dockerfile --tag airflow-mlops-train:latest .
# Every builder understands it: no BuildKit syntax. What changes rarely comes first.
ARG BASE=python:3.11-slim

FROM ${BASE} AS requirements
WORKDIR /asked
COPY pyproject.toml docker/requirements.py ./
RUN python requirements.py torch > requirements.txt

FROM ${BASE} AS libraries
WORKDIR /opt/airflow-mlops
# Numeric, so that it means the same on every host; named, for libraries that ask who they are.
RUN echo "mlops:x:65532:65532::/tmp:/bin/false" >> /etc/passwd && echo "mlops:x:65532:" >> /etc/group
# Nothing can be compiled later: containers run read-only, and the public image brings its library uncompiled.
RUN python -m compileall -q -j 0 -x site-packages /usr/local/lib/python3.11
COPY constraints.txt ./
# PyTorch comes through pip, which finds a wheel of the machine's own where one is configured.
RUN pip install --no-cache-dir --no-compile --disable-pip-version-check -c constraints.txt torch
COPY --from=requirements /asked/requirements.txt ./
ARG UV=uv==0.13.8
RUN pip install --no-cache-dir --disable-pip-version-check ${UV} \
    && uv pip install --system --no-cache --compile-bytecode -c constraints.txt -r requirements.txt \
    && pip uninstall --yes uv
ENV HOME=/tmp \
    PYTHONUNBUFFERED=1 \
    # Threads that wait by spinning take the cores from those that work.
    OMP_WAIT_POLICY=passive \
    MLFLOW_DISABLE_TELEMETRY=true \
    GX_ANALYTICS_ENABLED=false \
    DO_NOT_TRACK=true

FROM libraries AS train
COPY pyproject.toml README.md LICENSE ./
# Editable: Python looks for the packages in this folder, so that a change of code makes no new installation.
RUN pip install --no-cache-dir --disable-pip-version-check --no-deps -e .
COPY include include
# A checkout may be closed to others than its owner.
RUN python -m compileall -q -j 0 include && chmod -R a+rX .
USER 65532:65532
CMD ["python", "-m", "mlops_core.training", "--help"]
