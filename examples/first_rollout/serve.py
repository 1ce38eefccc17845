"""Serve one version: `python serve.py v1 9001`. Glideslope's part is the middleware and one call of `record`."""

import sys
from pathlib import Path

import joblib
import uvicorn
from fastapi import FastAPI

from glideslope.sdk import Glideslope, record

version, port = sys.argv[1], int(sys.argv[2])
folder = Path("models", version)
model, columns = joblib.load(folder / "model.joblib")
app = FastAPI()


@app.post("/predict")
async def predict(features: list[float]) -> dict[str, float]:
    probability = float(model.predict_proba([features[columns]])[0, 1])
    record(score=probability)  # the answer will carry a prediction id
    return {"malignant": probability}


governed = Glideslope(
    app,
    model="biopsy",
    version=version,
    server=Path(".glideslope", "address").read_text(encoding="utf-8").strip(),
    token=Path("source-token").read_text(encoding="utf-8").strip(),
    folder=folder,  # what is really served: its digest is reported and compared with the registered one
)
print(f"{version} is served at http://127.0.0.1:{port}", flush=True)
uvicorn.run(governed, host="127.0.0.1", port=port, log_level="warning", access_log=False)
