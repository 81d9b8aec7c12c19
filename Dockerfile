# The first stage has a compiler and builds; the second has none, and runs what was built.
FROM python:3.13 AS build
WORKDIR /src
COPY . .
RUN FASTLOG_NATIVE=1 python -m pip wheel --no-cache-dir --wheel-dir /wheels .
RUN python -m pip install --no-cache-dir --no-index --find-links /wheels --prefix /install fastlog

FROM python:3.13-slim
COPY --from=build /install /usr/local
USER nobody
# Without arguments it follows /tmp/access.log.
ENTRYPOINT ["fastlog"]
