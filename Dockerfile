FROM node:24-slim
WORKDIR /app
COPY package.json package-lock.json ./
# The development dependency `node` is left out: the image has the right one already.
RUN npm ci --omit=dev
COPY src ./src
RUN mkdir /data /cache && chown node:node /data /cache
USER node
# What is compiled now need not be at each start.
ENV NODE_COMPILE_CACHE=/cache
RUN ["node", "--import", "./src/gateway.ts", "src/sluice.js", "help"]
VOLUME /data
EXPOSE 9201 9202 4317 4318
HEALTHCHECK --interval=10s --timeout=3s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9202/-/healthy').then(r => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "src/sluice.js"]
CMD ["serve", "--data", "/data"]
