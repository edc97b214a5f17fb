-- Run once, when the cluster is made: a database and a role for each part of the stack, closed to the others.
\set ON_ERROR_STOP on

\getenv airflow_password AIRFLOW_DATABASE_PASSWORD
create role airflow login password :'airflow_password';
create database airflow owner airflow;
revoke all on database airflow from public;

\getenv celery_password CELERY_DATABASE_PASSWORD
create role celery login password :'celery_password';
create database celery owner celery;
revoke all on database celery from public;

\getenv ledger_password LEDGER_DATABASE_PASSWORD
create role ledger login password :'ledger_password';
create database ledger owner ledger;
revoke all on database ledger from public;

\getenv mlflow_password MLFLOW_DATABASE_PASSWORD
create role mlflow login password :'mlflow_password';
create database mlflow owner mlflow;
revoke all on database mlflow from public;
