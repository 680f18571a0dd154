# Build with everything, run with what the server needs.
FROM node:20-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json rolldown.config.ts ./
COPY src ./src
RUN npm run build && npm prune --omit=dev --no-audit --no-fund

FROM node:20-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./package.json
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY bin ./bin
COPY config ./config
COPY LICENSE ./LICENSE
# Named volumes take over the owner of the folder that they are mounted on.
RUN mkdir /data /certs && chown node:node /data /certs && ln -s /app/bin/meridian /usr/local/bin/meridian
USER node
VOLUME /data
EXPOSE 6379
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["meridian", "ping", "127.0.0.1:6379"]
ENTRYPOINT ["meridian"]
# A database of one region, reachable from outside the container. docker-compose.yml runs three regions.
CMD ["server", "--bind", "0.0.0.0", "--port", "6379", "--dir", "/data"]
