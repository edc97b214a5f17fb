# The image of every service of docker-compose.yaml that is ours: Airflow, MLflow and the model server.
# It shares the libraries with the training image:
#   docker build --file docker/train.Dockerfile --target libraries --tag airflow-mlops-libraries:latest .
#   docker build --file docker/airflow.Dockerfile --tag airflow-mlops:latest .
ARG LIBRARIES=airflow-mlops-libraries:latest

FROM ${LIBRARIES} AS requirements
COPY pyproject.toml docker/requirements.py ./
RUN python requirements.py airflow demo docker stack > requirements.txt

FROM ${LIBRARIES}
COPY --from=requirements /opt/airflow-mlops/requirements.txt ./
ARG UV=uv==0.13.8
RUN pip install --no-cache-dir --disable-pip-version-check ${UV} \
    && uv pip install --system --no-cache --compile-bytecode -c constraints.txt -r requirements.txt \
    && pip uninstall --yes uv
COPY pyproject.toml README.md LICENSE ./
RUN pip install --no-cache-dir --disable-pip-version-check --no-deps -e .
# New volumes take over who owns the folder that they are mounted on.
RUN mkdir -p /var/lib && cd /var/lib && mkdir -p airflow airflow-users mlflow mlops mlops-data mlops-signing mlops-trusted /var/log/airflow \
    && chown 65532:65532 airflow airflow-users mlflow mlops mlops-data mlops-signing mlops-trusted /var/log/airflow \
    && chmod 0700 mlops-signing
COPY include include
COPY plugins plugins
COPY dags dags
# A checkout may be closed to others than its owner.
RUN python -m compileall -q -j 0 include plugins dags && chmod -R a+rX .
ENV AIRFLOW_HOME=/var/lib/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/airflow-mlops/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/airflow-mlops/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    AIRFLOW__LOGGING__BASE_LOG_FOLDER=/var/log/airflow \
    MLOPS_HOME=/var/lib/mlops
USER 65532:65532
