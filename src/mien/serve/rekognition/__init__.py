"""Requests in the protocol of Amazon Rekognition to answers: its collections, faces and users, on our galleries and models.

    boto3.client("rekognition", endpoint_url="http://127.0.0.1:8080", region_name="local",
                 aws_access_key_id=ID, aws_secret_access_key=SECRET)       # of a key mien_ID_SECRET

`signature` checks who calls, `members` what is asked, `pictures` looks at pictures, `faces`, `users` and `collections` answer.
Field names, limits, defaults and codes are those of the service model inside that client; a test compares them.
"""
