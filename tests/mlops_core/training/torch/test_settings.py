"""What decides the weights is told from what only decides where and how often."""

import subprocess
import sys
from typing import Any

import pytest

from mlops_core.errors import DeclarationError
from mlops_core.training.torch.settings import TorchSettings

DECIDES_NOTHING: dict[str, Any] = {
    "device": "cpu",
    "threads": 2,
    "checkpoint_seconds": 1.0,
    "checkpoint_steps": 7,
}


@pytest.mark.parametrize(
    "fields",
    [
        {"epochs": 0},
        {"batch_rows": 0},
        {"learning_rate": 0},
        {"weight_decay": -0.1},
        {"momentum": 1},
        {"gradient_norm_limit": 0},
        {"validation_share": 1},
        {"patience_epochs": 0},
        {"optimiser": "adam"},
        {"device": "tpu"},
        {"checkpoint_steps": 0},
        {"batch_size": 32},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused_by_name(fields: dict[str, Any]) -> None:
    with pytest.raises(DeclarationError, match=next(iter(fields))):
        TorchSettings(**fields)


@pytest.mark.parametrize("name", DECIDES_NOTHING)
def test_where_and_how_often_decide_nothing(name: str) -> None:
    settings = TorchSettings(**{name: DECIDES_NOTHING[name]})

    assert settings != TorchSettings()
    assert settings.deciding() == TorchSettings().deciding()


@pytest.mark.parametrize("name", sorted(set(TorchSettings.model_fields) - set(DECIDES_NOTHING)))
def test_all_else_decides(name: str) -> None:
    assert name in TorchSettings().deciding()


def test_it_imports_no_torch() -> None:
    code = "import sys, mlops_core.training.torch.settings; print('torch' in sys.modules)"

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "False"
