"""The faces over HTTP: block list files, health, metrics, and the process that answers.

`app` joins the faces, `front` sends each request to the right one and is the last net, `exports` serves the list files,
`metrics` tells how the service fares. `access` is what all of them, TAXII too, know of state and readers; `fetches` keeps
who fetched last. `serving` starts and stops the HTTP process, `worker` is that process. The TAXII server is a neighbour,
not a part: it is handed in.
"""
