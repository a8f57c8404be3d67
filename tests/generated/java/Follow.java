// The client that openapi-generator makes for Java, against a server: Follow BASE_URL, with the key in RAINCHECK_KEY. It
// starts one operation for each end and prints what it saw of each as a line of JSON.

import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
// docs: begin java
import java.net.http.HttpRequest;
import java.util.UUID;
import java.util.function.Consumer;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.ApiResponse;
import org.openapitools.client.api.CountdownApi;
import org.openapitools.client.model.*;

class Countdowns {
    final CountdownApi api;

    Countdowns(String base, String key) {
        var client = new ApiClient();
        client.updateBaseUri(base);
        // It knows no security schemes.
        client.setRequestInterceptor((HttpRequest.Builder request) -> request.header("Authorization", "Bearer " + key));
        api = new CountdownApi(client);
    }

    CountdownResult result(UUID id, Consumer<CountdownStatus> show) throws Exception {
        while (true) {
            var answer = api.getCountdownWithHttpInfo(id, null, null);
            if (answer.getStatusCode() == 200) return answer.getData().getOutput();
            show.accept(answer.getData());
            pause(answer);
        }
    }

    static void pause(ApiResponse<?> answer) throws InterruptedException {
        Thread.sleep(1000 * Long.parseLong(answer.getHeaders().get("retry-after").get(0)));
    }

    /** The body of an error answer, which it leaves as text. */
    static Problem problem(ApiException error) throws Exception {
        return ApiClient.createDefaultObjectMapper().readValue(error.getResponseBody(), Problem.class);
    }
}
// docs: end java

class Follow {
    static Map<String, Object> seen(Countdowns countdowns, String end, CountdownInput input) throws Exception {
        var api = countdowns.api;
        // docs: begin java-start
        var started = api.startCountdownWithHttpInfo(input, null, null, null, null);
        var id = started.getData().getId();
        Countdowns.pause(started);
        // docs: end java-start
        var seen = new LinkedHashMap<String, Object>();
        List<String> shown = new ArrayList<>();
        seen.putAll(Map.of("end", end, "id", id, "shown", shown));
        seen.put("location", started.getHeaders().get("location").get(0));
        // docs: begin java-cancel
        if (end.equals("is-canceled")) api.cancelCountdown(id);
        // docs: end java-cancel
        try {
            var output = countdowns.result(id, view -> shown.add(view.getCustomStatus()));
            seen.putAll(Map.of("http", 200, "status", "Succeeded", "steps", output.getSteps()));
        } catch (ApiException error) {
            var problem = Countdowns.problem(error);
            var status = problem.getOperation().getStatus();
            seen.putAll(Map.of("http", problem.getStatus(), "status", status, "code", problem.getCode()));
        }
        return seen;
    }

    public static void main(String[] arguments) throws Exception {
        var countdowns = new Countdowns(arguments[0], System.getenv("RAINCHECK_KEY"));
        var works = Map.of(
            "succeeds", new CountdownInput().seconds(4.0).steps(3),
            "fails", new CountdownInput().seconds(4.0).steps(3).fail("out-of-paper"),
            "is-canceled", new CountdownInput().seconds(60.0).steps(3));
        for (var work : works.entrySet()) {
            System.out.println(new ObjectMapper().writeValueAsString(seen(countdowns, work.getKey(), work.getValue())));
        }
    }
}
