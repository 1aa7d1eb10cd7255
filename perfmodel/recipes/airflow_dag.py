"""Airflow: the same command on the same days. Put this file into the folder of DAGs; the tasks run where perfmodel is.

No retries here: Airflow sees exit 1 for data that are refused as for a machine that failed, and perfmodel says which.
PERFMODEL_NOTIFY is set in the environment of the workers.
"""

import pendulum
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

PLACE = "/srv/perfmodel"

with DAG(
    dag_id="perfmodel",
    description="Calibration reports of the quarter that has just closed",
    schedule="0 6 5 1,4,7,10 *",
    start_date=pendulum.datetime(2026, 1, 1, tz="Asia/Shanghai"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 0},
) as dag:
    check = BashOperator(
        task_id="check",
        bash_command=".venv/bin/perfmodel check data --newest --json",
        cwd=PLACE,
    )
    run = BashOperator(
        task_id="run",
        bash_command=".venv/bin/perfmodel run data --newest --each-unit --wait 3600 --json",
        cwd=PLACE,
    )
    check >> run
