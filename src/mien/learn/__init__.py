"""Data to cards and ONNX files that the engine runs: one spine, many short recipes. Needs `pip install "mien[learn]"`.

    Dataset -> Recipe -> fit -> export -> card        `mien learn NAME --data DATA -o RUN`

`data/` reads data sets in their official layouts, `synth/` renders faces, `attacks/` simulates presentation attacks,
`nets/` holds networks, `recipes/` one method per file. Nothing here is imported by the engine, and nothing here imports
torch before something is trained.
"""
