"""Requests to answers: the engine behind HTTP, for organisations.

    mien serve people.db

One route per engine call (`routes/`), the protocol of Amazon Rekognition (`rekognition/`), the console (`console/`).
"""
