"""The hyperparameters in a run's directory are written once, as a whole or not at all."""

from __future__ import annotations

import pytest
import yaml

from qgnn_lightning.run import RunLogger


def test_hyperparameters_are_whole_or_not_there(tmp_path, monkeypatch):
    def dies_halfway(path, hparams):
        path.write_text("{half")
        raise KeyboardInterrupt

    run = tmp_path / "run"
    run.mkdir()
    logger = RunLogger(run)
    logger.log_hyperparams({"bits": "int2"})
    with monkeypatch.context() as patch:
        patch.setattr("qgnn_lightning.run._logger.save_hparams_to_yaml", dies_halfway)
        with pytest.raises(KeyboardInterrupt):
            logger.save()
    assert not (run / "hparams.yaml").exists()
    again = RunLogger(run)
    again.log_hyperparams({"bits": "int2"})
    again.save()
    assert yaml.safe_load((run / "hparams.yaml").read_text()) == {"bits": "int2"}
